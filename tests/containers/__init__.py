"""Images and the composed site, built and run for real: `make container-test`, as root.

- ``install.sh``     podman, buildah, runc, debootstrap
- ``base-image.sh``  a Debian 12 base from this machine's own mirror
- ``Containerfile``  stand-ins for the public images of mosquitto, InfluxDB and SeaweedFS
- ``engine``         podman with a storage of its own
- ``inside``         what is run in each image by its own python
- ``site``           deploy/compose brought up in order of health
- ``conftest``       images and site as fixtures
"""
