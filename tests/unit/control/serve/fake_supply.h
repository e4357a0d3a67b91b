#ifndef REMORA_TESTS_CONTROL_SERVE_FAKE_SUPPLY_H
#define REMORA_TESTS_CONTROL_SERVE_FAKE_SUPPLY_H

#include "control/serve/supply.h"
#include "lib/base/map.h"

/* A small world: names and bytes by type, the same for every viewer. */
struct fake_supply {
    struct map types[XDS_TYPES]; /* name -> struct resource */
    struct supply *supply;
    size_t asked; /* how often something was looked for */
};

void fake_supply_init(struct fake_supply *fake);
void fake_supply_done(struct fake_supply *fake);
/* Each tells supply_changed. */
void fake_supply_put(struct fake_supply *fake, enum xds_type type, const char *name,
                     const char *bytes);
void fake_supply_remove(struct fake_supply *fake, enum xds_type type, const char *name);

#endif
