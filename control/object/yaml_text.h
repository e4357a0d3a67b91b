#ifndef REMORA_CONTROL_OBJECT_YAML_TEXT_H
#define REMORA_CONTROL_OBJECT_YAML_TEXT_H

#include "control/object/problem.h"
#include "lib/base/arena.h"

/* What is done with the bytes of a YAML file beside libfyaml. */

/*
 * Looked at before the parser sees it. Binary junk is told from broken YAML, with the line it
 * begins at. And brackets are counted wherever they stand: libfyaml reads all that open ahead of
 * the first event, at some 350 bytes each, so that 8 MiB of "[" would take gigabytes. A text of
 * ordinary nesting never comes near the bound. False when a problem was added.
 */
bool yaml_text_check(struct span bytes, struct problems *problems);

/*
 * The text of a single-quoted scalar from what stands between its quotes (YAML 1.2.2, 7.3.2). Done
 * here because libfyaml 0.7 loses some memory with every such scalar of many doubled quotes that it
 * is asked the text of, and manifests are read for ever.
 */
struct span yaml_unquote_single(struct span raw, struct arena *arena);

#endif
