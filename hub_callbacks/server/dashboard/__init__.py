"""The dashboard: pages rendered on the server, Plotly for the curves, no build step and no CDN."""
