"""The courier: one detached process per outbox that delivers what is recorded there."""
