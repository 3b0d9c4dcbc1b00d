/**
 * CNI configuration files as text: our plugin is put behind those of others, and taken out again (facts ztunnel-wire 3.5).
 * Everything else in a file stays as it is.
 */
import { isRecord } from '../../model/manifest/field-reader.ts';

export const PLUGIN_TYPE = 'ambit-cni';

/** The entry of our plugin. */
export type PluginConfig = Readonly<Record<string, unknown>> & { readonly type: typeof PLUGIN_TYPE };

type Fields = Readonly<Record<string, unknown>>;

/** A file the container runtime can use: a list of plugins, or a single one. */
export type ConfFile =
  | { readonly kind: 'list'; readonly fields: Fields; readonly plugins: readonly Fields[] }
  | { readonly kind: 'single'; readonly fields: Fields };

/** Reads a file by its name and text; undefined when the runtime could not use it either. */
export function parseConfFile(name: string, text: string): ConfFile | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Being written at the moment, or broken: not ours to judge.
    return undefined;
  }
  if (!isRecord(value)) return undefined;
  if (!name.endsWith('.conflist'))
    return typeof value['type'] === 'string' ? { kind: 'single', fields: value } : undefined;
  const plugins: readonly unknown[] = Array.isArray(value['plugins']) ? value['plugins'] : [];
  if (plugins.length === 0 || !plugins.every(isRecord)) return undefined;
  return { kind: 'list', fields: value, plugins };
}

/** Whether a file name is one that container runtimes look at. */
export function isConfName(name: string): boolean {
  return /\.(conflist|conf|json)$/.test(name) && !name.startsWith('.');
}

/** The text of a list with our plugin at the end, or undefined when it is there already, just so. */
export function withPlugin(file: ConfFile, plugin: PluginConfig): string | undefined {
  if (file.kind === 'single') {
    const { cniVersion, name, ...rest } = file.fields;
    const head = { ...(cniVersion === undefined ? {} : { cniVersion }), ...(name === undefined ? {} : { name }) };
    return print({ ...head, plugins: [rest, plugin] });
  }
  const own = file.plugins.filter(({ type }) => type === PLUGIN_TYPE);
  const last = file.plugins.at(-1);
  if (own.length === 1 && last !== undefined && print(last) === print(plugin)) return undefined;
  return print({ ...file.fields, plugins: [...othersOf(file.plugins), plugin] });
}

/** The text of a list without our plugin, or undefined when it is not in it. */
export function withoutPlugin(file: ConfFile): string | undefined {
  if (file.kind === 'single') return undefined;
  const others = othersOf(file.plugins);
  return others.length === file.plugins.length ? undefined : print({ ...file.fields, plugins: others });
}

function othersOf(plugins: readonly Fields[]): readonly Fields[] {
  return plugins.filter(({ type }) => type !== PLUGIN_TYPE);
}

function print(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
