/**
 * The folder of manifests that the engine writes for the control plane: one file per object, replaced as a whole and
 * only when its content changed.
 */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export class StatusFolder {
  readonly #folder: string;
  readonly #texts = new Map<string, string>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Writes a manifest. @param name unique name, without extension */
  set(name: string, manifest: object): void {
    const text = `${JSON.stringify(manifest, null, 1)}\n`;
    if (this.#texts.get(name) === text) return;
    // Names with a dot in front are not read.
    const temporary = join(this.#folder, `.${name}.new`);
    writeFileSync(temporary, text);
    renameSync(temporary, join(this.#folder, `${name}.json`));
    this.#texts.set(name, text);
  }

  remove(name: string): void {
    this.#texts.delete(name);
    rmSync(join(this.#folder, `${name}.json`), { force: true });
  }
}
