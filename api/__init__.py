"""What all programs share: messages, kinds, codec, errors, client. Imports none of them."""
