/** Whether a file can be written, before what goes into it is collected. */
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { AmbitError, errorText } from '../base/errors.ts';

/** @throws AmbitError FILE_NOT_WRITABLE with what to do */
export function checkWritable(path: string): void {
  const folder = dirname(resolve(path));
  const refuse = (why: string, cause?: unknown) =>
    new AmbitError('FILE_NOT_WRITABLE', `${path} cannot be written: ${why}; -f names another file`, { cause });
  if (!existsSync(folder)) throw refuse(`there is no folder ${folder}`);
  if (existsSync(path) && statSync(path).isDirectory()) throw refuse('it is a folder');
  try {
    accessSync(existsSync(path) ? path : folder, constants.W_OK);
  } catch (error) {
    throw refuse(errorText(error), error);
  }
}
