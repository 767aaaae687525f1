"""The verbs, one module each, in folders by idea; `cli.main` imports the one that is called."""
