"""Tables that name images, masks and outcomes -> checked rows; folders -> such tables."""
