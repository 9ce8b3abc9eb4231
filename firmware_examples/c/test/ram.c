/* One of each, for their sizes (sizes.py). */
#include "hr_mqtt.h"
#include "hr_uplink.h"

hr_ring ram_ring;
hr_uplink ram_uplink;
hr_mqtt ram_mqtt;
