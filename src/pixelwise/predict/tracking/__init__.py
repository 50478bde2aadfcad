"""What tracking objects from frame to frame is made of."""
