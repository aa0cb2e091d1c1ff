"""What a sensor that starts in the triggerer needs there: its task instance, its arguments and a client."""
