/** The outer half of `ambit up`: checks what is needed, then supervises the private namespaces. */
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { AmbitError } from '../../base/errors.ts';
import { requirePrograms, searchPath } from '../../local/find-program.ts';
import { machineProbe, probeNamespaces } from '../../local/namespace-support.ts';
import { DNS_ADDRESS } from '../../local/network-plan.ts';
import { processStartTime, type RunFolder, runFolderOf } from '../../local/run-folder.ts';
import { guardRun } from '../../local/run-guard.ts';
import { type SupervisedRun, superviseRun } from '../../local/supervisor.ts';
import { encodeUpOptions } from '../../local/up-options.ts';
import { ambitCommand } from '../ambit-command.ts';
import { runBase } from '../run-folders.ts';

/** The flags of the command, checked. */
export interface UpFlags {
  readonly nodes?: number;
  readonly name: string;
  readonly quiet: boolean;
  readonly keepLogs: boolean;
}

/** Runs until it is stopped. @throws AmbitError when it cannot start; nothing is left then */
export async function runUp(environment: NodeJS.ProcessEnv, folderText: string, flags: UpFlags): Promise<void> {
  const folder = resolve(folderText);
  if (!existsSync(folder) || !statSync(folder).isDirectory()) {
    throw new AmbitError('CONFIG_FOLDER_UNREADABLE', `${folderText} is not a folder`);
  }
  const path = searchPath(environment['PATH']);
  requirePrograms(path);
  const mode = probeNamespaces(machineProbe(process.getuid?.() ?? 0, path));
  const run = runFolderOf(runBase(environment), flags.name);
  const own = { pid: process.pid, startTime: processStartTime(process.pid) ?? '', userNamespace: mode === 'user' };
  run.claim({ ...own, initPid: 0, folder, nodes: [], pods: [] });
  // Proxies and agents ask the mesh's own server for names that they do not know.
  writeFileSync(run.resolvConf, `nameserver ${DNS_ADDRESS}\n`);
  const options = {
    ...own,
    folder,
    runFolder: run.path,
    quiet: flags.quiet,
    ...(flags.nodes === undefined ? {} : { nodes: flags.nodes }),
  };
  const guard = guardRun({ folder: run, owner: own, keepLogs: flags.keepLogs });
  const engine = [...ambitCommand(), 'up-inner', encodeUpOptions(options)];
  const supervised = superviseRun({ mode, folder: run, engine, environment: engineEnvironment(environment, path) });
  forwardSignals(supervised);
  try {
    await finish(supervised, run, flags.keepLogs);
  } finally {
    guard.dismiss();
  }
}

/** Waits for the end and clears up; the logs stay when asked for, or when something failed. */
async function finish(supervised: SupervisedRun, run: RunFolder, keepLogs: boolean): Promise<void> {
  let status = 1;
  try {
    status = await supervised.ended;
  } finally {
    run.clear(keepLogs || status === 1);
  }
  if (keepLogs || status === 1) process.stderr.write(`logs are in ${run.logs}\n`);
  process.exitCode = status;
}

/** Ctrl-C and SIGTERM: the first gracefully, the next at once. */
function forwardSignals(supervised: SupervisedRun): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => supervised.stop());
}

/** Without proxies: the mesh's own calls stay on this machine. The pinned Node comes first for programs that need one. */
function engineEnvironment(environment: NodeJS.ProcessEnv, path: string): NodeJS.ProcessEnv {
  const kept = Object.entries(environment).filter(([name]) => !/^(https?|grpc|all)_proxy$/i.test(name));
  const node = basename(process.execPath) === 'node' ? `${dirname(process.execPath)}:` : '';
  return { ...Object.fromEntries(kept), PATH: `${node}${path}` };
}
