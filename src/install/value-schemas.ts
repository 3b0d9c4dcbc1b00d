/** Values that the roles parse, checked by the same parsers before anything is applied. */
import { z } from 'zod';
import { DURATION_PATTERN, parseDurationMs } from '../base/duration.ts';
import { parseMeshConfig } from '../model/mesh-config.ts';
import { FILTER_LEVELS, LogFilter } from '../telemetry/log-filter.ts';

/** `30s`, `5m`, `24h`. */
export const durationSchema = z.string().regex(DURATION_PATTERN, 'a duration such as 30s, 5m or 24h is needed');

/** A duration of some length: a certificate that lives for no time is none. */
export const lifetimeSchema = durationSchema.refine(
  (text) => parseDurationMs(text) !== 0,
  'it has to be longer than 0',
);

const LEVELS = FILTER_LEVELS.flatMap((level) => [level, level.toUpperCase()]).join('|');
const DIRECTIVE = `([^=,]+=)?(${LEVELS})`;

/** `info`, `info,xds=debug`. */
export const logLevelSchema = z
  .string()
  .superRefine((text, context) => {
    const refused = new LogFilter('').update(text);
    if (refused === undefined) return;
    context.addIssue(`"${refused}" is no log level: ${FILTER_LEVELS.join(', ')}, or scope=level, with commas`);
  })
  .meta({ pattern: `^(${DIRECTIVE}(,${DIRECTIVE})*)?$` });

/** It ends up in labels and names. */
export const labelValueSchema = z
  .string()
  .regex(/^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$/, 'a name of lower-case letters, digits and dashes is needed');

/** As API servers read quantities (k8s.io/apimachinery resource.Quantity). */
const quantitySchema = z.union([
  z.number().min(0),
  z
    .string()
    .regex(
      /^\+?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+|[numkMGTPE]|[KMGTPE]i)?$/,
      'a quantity such as 100m or 128Mi is needed',
    ),
]);
const quantitiesSchema = z.record(z.string(), quantitySchema);

/** `resources` of a container. */
export const resourcesSchema = z.looseObject({
  requests: quantitiesSchema.optional(),
  limits: quantitiesSchema.optional(),
});

/** What `ambit control` reads of its ConfigMap. */
export const meshConfigSchema = z
  .record(z.string(), z.json())
  .superRefine((config, context) => {
    const parsed = parseMeshConfig(JSON.stringify(config));
    if (!parsed.ok) context.addIssue(parsed.error);
  })
  .meta({
    properties: {
      trustDomain: { type: 'string' },
      rootNamespace: { type: 'string' },
      discoverySelectors: { type: 'array', items: { type: 'object' } },
    },
  });
