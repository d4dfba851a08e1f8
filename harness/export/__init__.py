"""Final networks that leave their run: a folder with weights, facts and a card, for other libraries."""
