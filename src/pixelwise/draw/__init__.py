"""Pictures for people: masks over images, errors, comparisons, legends and training curves; nothing is read back from them."""
