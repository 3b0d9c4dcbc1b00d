/** Runs short programs to their end. */
import { spawn } from 'node:child_process';
import { AmbitError } from '../base/errors.ts';

const TIMEOUT_MS = 15_000;

/**
 * Runs a program with a text on its standard input and returns its output.
 * @throws AmbitError PROGRAM_FAILED with what the program said
 */
export function runProgram(program: string, args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'pipe', timeout: TIMEOUT_MS, killSignal: 'SIGKILL' });
    const output: Buffer[] = [];
    const errors: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
    child.once('error', (cause) =>
      reject(new AmbitError('PROGRAM_FAILED', `cannot run ${program}: is it installed and in PATH?`, { cause })),
    );
    child.once('close', (status, signal) => {
      if (status === 0) return resolve(Buffer.concat(output).toString());
      const said = Buffer.concat(errors).toString().trim();
      reject(new AmbitError('PROGRAM_FAILED', `${program} failed (${signal ?? `status ${status}`}): ${said}`));
    });
    // A program that fails before it reads its input closes the pipe: the status tells.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}

/** Runs shell commands, each of which has to succeed. */
export async function runShell(script: string): Promise<void> {
  await runProgram('sh', ['-eu'], script);
}
