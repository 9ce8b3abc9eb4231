"""How good the readings are, as a page: from the table ``quality`` that cloud-sync keeps.

Reading order:

- ``table``     the rows of some days
- ``refused``   what is not in the lake: landings that were given up, payloads that were refused
- ``findings``  what is remarkable in them, in sentences
- ``summary``   all of it in numbers
- ``pictures``  bars and heat maps as SVG
- ``page``      the page
- ``commands``  ``headrace quality``
"""
