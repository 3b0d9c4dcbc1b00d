/** What `ambit up` hands from the process outside to the engine inside. */
import { z } from 'zod';

const upOptionsSchema = z.object({
  folder: z.string(),
  runFolder: z.string(),
  nodes: z.number().int().optional(),
  quiet: z.boolean(),
  /** As recorded in the state file. */
  pid: z.number(),
  startTime: z.string(),
  userNamespace: z.boolean(),
});

export type UpOptions = z.infer<typeof upOptionsSchema>;

export function encodeUpOptions(options: UpOptions): string {
  return JSON.stringify(options);
}

/** Throws when the text is not what `encodeUpOptions` wrote. */
export function decodeUpOptions(text: string): UpOptions {
  return upOptionsSchema.parse(JSON.parse(text));
}
