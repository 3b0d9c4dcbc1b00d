/** Runs a program with a text on its standard input, bounded in time and output. */
import { spawn } from 'node:child_process';
import { AmbitError } from '../base/errors.ts';

export interface CommandResult {
  /** Exit status; -1 when a signal ended the program. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. Rejects with AmbitError COMMAND_MISSING, COMMAND_TIMEOUT or COMMAND_OUTPUT_TOO_LARGE; an exit status is a result. */
export type RunCommand = (program: string, args: readonly string[], input?: string) => Promise<CommandResult>;

const TIMEOUT_MS = 10_000;
const MAX_OUTPUT_BYTES = 4 * 1024 * 1024;

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
      const [output, messages] = [stdout(), stderr()];
      // Half an answer would be taken for the whole.
      if (output === undefined) {
        reject(new AmbitError('COMMAND_OUTPUT_TOO_LARGE', `${program} wrote more than ${MAX_OUTPUT_BYTES} bytes`));
      } else {
        resolve({ status: status ?? -1, stdout: output, stderr: messages ?? 'too long to be shown' });
      }
    });
    // A program that fails before it reads its input closes the pipe: the exit status tells.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });

/** @returns gives what was written; undefined when that was too much */
function collect(stream: NodeJS.ReadableStream): () => string | undefined {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= MAX_OUTPUT_BYTES) chunks.push(chunk);
  });
  return () => (bytes > MAX_OUTPUT_BYTES ? undefined : Buffer.concat(chunks).toString());
}
