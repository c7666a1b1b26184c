"""Training of the encoder that starts a fit, on generated hearts and imitated scans."""
