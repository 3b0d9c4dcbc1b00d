import { readdirSync, readlinkSync } from 'node:fs';

/** The sockets and files this process has open, as the kernel names them. */
export function openDescriptors(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      // The descriptor of the listing itself is gone by now.
      return [];
    }
  });
}

/** How many sockets this process has open. */
export function openSocketCount(): number {
  return openDescriptors().filter((name) => name.startsWith('socket:')).length;
}
