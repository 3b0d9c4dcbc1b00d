/** Questions to the processes of a bench, over IPC: each command has one reply. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** The next message of a process. @throws Error when it ends instead */
export async function nextReply<Reply>(child: ChildProcess): Promise<Reply> {
  const asking = new AbortController();
  const reply = once(child, 'message', asking);
  const ended = once(child, 'exit', asking).then(() => Promise.reject(new Error('a process of the bench ended')));
  try {
    const [value] = (await Promise.race([reply, ended])) as [Reply];
    return value;
  } finally {
    asking.abort();
  }
}

/** Tells a process what to do. @returns what came of it @throws Error when the process ends instead */
export function askChild<Reply>(child: ChildProcess, command: object): Promise<Reply> {
  const reply = nextReply<Reply>(child);
  child.send(command);
  return reply;
}
