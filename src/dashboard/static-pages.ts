/** The built pages. */
import { readFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { systemErrorCode } from '../base/errors.ts';
import { SAFE_HEADERS, send } from './http-answers.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** No file can be called so, or none is. The last is that of a name with a NUL. */
const MISSING: readonly string[] = ['ENOENT', 'EISDIR', 'ENOTDIR', 'ENAMETOOLONG', 'ERR_INVALID_ARG_VALUE'];

/** @param path of the request: what leads out of the folder is not found */
export async function sendPage(response: ServerResponse, folder: string, path: string): Promise<void> {
  try {
    const file = path === '/' ? '/index.html' : normalize(decodeURIComponent(path));
    const body = await readFile(join(folder, file));
    const type = TYPES[extname(file)] ?? 'application/octet-stream';
    response.writeHead(200, { 'content-type': type, ...SAFE_HEADERS }).end(body);
  } catch (error) {
    const isMissing = error instanceof URIError || MISSING.includes(systemErrorCode(error));
    const [status, body] = isMissing ? [404, 'not found\n'] : [500, 'the page cannot be read\n'];
    send(response, { status, body });
  }
}
