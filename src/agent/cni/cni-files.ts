/**
 * Puts the CNI plugin on the host and takes it away again.
 *
 * Invariants:
 * - every file changes in one step (written beside, then renamed), and only when it has to;
 * - the program is there before a configuration names it, and goes after it;
 * - a single-plugin file becomes a list of the same name; the old one is kept beside it, under a name that container
 *   runtimes do not look at, and comes back at the removal.
 */
import { readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemErrorCode } from '../../base/errors.ts';
import { replaceFile } from '../cluster/namespace-file.ts';
import { type ConfFile, isConfName, type PluginConfig, parseConfFile, withoutPlugin, withPlugin } from './conf-file.ts';

const SAVED_SUFFIX = '.ambit-saved';
const BINARY = 'ambit-cni';

export interface CniFilesOptions {
  /** The program as it is in the image. */
  readonly sourcePath: string;
  /** The host's folder of CNI programs, as mounted. */
  readonly binDir: string;
  /** The host's folder of CNI configurations, as mounted. */
  readonly confDir: string;
  readonly plugin: PluginConfig;
}

/** What an installation found and did. */
export type InstallResult = {
  /** What the program on the host was like when it was found right, for the next installation. */
  readonly program: string;
} & (
  | /** No network has been configured yet: there is nothing to put the plugin behind. */ {
      readonly kind: 'no-network';
    }
  | { readonly kind: 'installed'; readonly file: string; readonly changed: readonly string[] }
);

interface NamedFile {
  readonly name: string;
  readonly file: ConfFile;
}

/**
 * Puts program and configuration in place. Rejects with the error of the file system.
 * @param knownProgram of the result before: a program that is still like that is not read again
 */
export async function installCni(options: CniFilesOptions, knownProgram = ''): Promise<InstallResult> {
  const { binDir, confDir, plugin } = options;
  const changed: string[] = [];
  const path = join(binDir, BINARY);
  let program = await appearance(path);
  if (program === '' || program !== knownProgram) {
    const content = await readFile(options.sourcePath);
    if (!content.equals(await contentOf(path))) {
      await replaceFile(path, content, 0o755);
      changed.push(BINARY);
      // Who writes at the same moment is found at the next look.
      program = '';
    }
  }
  const first = (await readConfFiles(confDir))[0];
  if (first === undefined) return { kind: 'no-network', program };
  const text = withPlugin(first.file, plugin);
  const name = listName(first);
  if (text !== undefined) {
    await replaceFile(join(confDir, name), text, 0o644);
    // The name of the list sorts behind that of the single file, which must not be found any more.
    if (name !== first.name) await rename(join(confDir, first.name), join(confDir, `${first.name}${SAVED_SUFFIX}`));
    changed.push(name);
  }
  return { kind: 'installed', program, file: name, changed };
}

/** Takes program and configuration away; what is not there is no error. */
export async function uninstallCni({ binDir, confDir }: Pick<CniFilesOptions, 'binDir' | 'confDir'>): Promise<void> {
  const names = await namesIn(confDir);
  for (const { name, file } of await readConfFiles(confDir)) {
    const text = withoutPlugin(file);
    if (text === undefined) continue;
    const saved = names.find((other) => other.endsWith(SAVED_SUFFIX) && savedListName(other) === name);
    if (saved === undefined) {
      await replaceFile(join(confDir, name), text, 0o644);
    } else {
      await rename(join(confDir, saved), join(confDir, saved.slice(0, -SAVED_SUFFIX.length)));
      await rm(join(confDir, name), { force: true });
    }
  }
  await rm(join(binDir, BINARY), { force: true });
}

function listName({ name, file }: NamedFile): string {
  return file.kind === 'list' ? name : name.replace(/\.(conf|json)$/, '.conflist');
}

function savedListName(saved: string): string {
  return saved.slice(0, -SAVED_SUFFIX.length).replace(/\.(conf|json)$/, '.conflist');
}

/** The usable files in the order in which container runtimes take them. */
async function readConfFiles(confDir: string): Promise<readonly NamedFile[]> {
  const names = (await namesIn(confDir)).filter(isConfName).sort();
  const found: NamedFile[] = [];
  for (const name of names) {
    const file = parseConfFile(name, (await contentOf(join(confDir, name))).toString());
    if (file !== undefined) found.push({ name, file });
  }
  return found;
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return [];
    throw error;
  }
}

/** What changes whenever somebody writes or replaces a file; empty when there is none. */
async function appearance(path: string): Promise<string> {
  try {
    const { dev, ino, size, mode, ctimeNs } = await stat(path, { bigint: true });
    return [dev, ino, size, mode, ctimeNs].join(':');
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return '';
    throw error;
  }
}

async function contentOf(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return Buffer.alloc(0);
    throw error;
  }
}
