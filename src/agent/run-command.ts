/** Runs a program with a text on its standard input, bounded in time and output. */
import { spawn } from 'node:child_process';
import { AmbitError } from '../base/errors.ts';

export interface CommandResult {
  /** Exit status; -1 when a signal ended the program. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. Rejects with AmbitError COMMAND_MISSING or COMMAND_TIMEOUT; an exit status is a result. */
export type RunCommand = (program: string, args: readonly string[], input?: string) => Promise<CommandResult>;

const TIMEOUT_MS = 10_000;
const MAX_OUTPUT_BYTES = 1 << 20;

/** `RunCommand` with child processes; programs are looked up in PATH. */
export const runCommand: RunCommand = (program, args, input = '') =>
  new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'pipe', timeout: TIMEOUT_MS, killSignal: 'SIGKILL' });
    const stdout = collect(child.stdout);
    const stderr = collect(child.stderr);
    child.once('error', (cause) => {
      reject(new AmbitError('COMMAND_MISSING', `cannot run ${program}: is it installed and in PATH?`, { cause }));
    });
    child.once('close', (status, signal) => {
      if (signal === 'SIGKILL' && status === null) {
        reject(new AmbitError('COMMAND_TIMEOUT', `${program} did not end in ${TIMEOUT_MS} ms, or was killed`));
        return;
      }
      resolve({ status: status ?? -1, stdout: stdout(), stderr: stderr() });
    });
    // A program that fails before it reads its input closes the pipe: the exit status tells.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });

function collect(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= MAX_OUTPUT_BYTES) chunks.push(chunk);
  });
  return () => Buffer.concat(chunks).toString();
}
