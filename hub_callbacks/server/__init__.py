"""The hub: HUB v1 and its extensions over HTTP, a store, blobs, and the dashboard."""
