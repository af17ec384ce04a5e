"""From a trained model to text: search, and the lines going in and out."""
