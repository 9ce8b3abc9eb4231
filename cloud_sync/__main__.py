"""``python -m cloud_sync``."""

from cloud_sync.cli import main

if __name__ == "__main__":
    main()
