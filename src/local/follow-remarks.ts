/** Reads the status file of the control plane whenever it was replaced, and tells what it newly remarks. */
import { type FSWatcher, readFileSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { errorText, systemErrorCode } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { RemarkChanges } from './remark-changes.ts';

/** @returns ends it */
export function followRemarks(statusFile: string, onRemark: (line: string) => void, logger: Logger): () => void {
  const changes = new RemarkChanges();
  const look = () => {
    try {
      for (const line of changes.look(readFileSync(statusFile, 'utf8'))) onRemark(line);
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT') logger.warn('remarks not read', { reason: errorText(error) });
    }
  };
  const watcher = watchFolder(dirname(statusFile), basename(statusFile), look, logger);
  look();
  return () => watcher?.close();
}

/** The folder, as the file is replaced by another each time. */
function watchFolder(folder: string, name: string, look: () => void, logger: Logger): FSWatcher | undefined {
  try {
    const watcher = watch(folder, { persistent: false }, (_, changed) => {
      if (changed === name) look();
    });
    watcher.on('error', (error) => {
      logger.warn('remarks are not followed any more', { reason: errorText(error) });
      watcher.close();
    });
    return watcher;
  } catch (error) {
    logger.warn('remarks are not followed', { reason: errorText(error) });
    return undefined;
  }
}
