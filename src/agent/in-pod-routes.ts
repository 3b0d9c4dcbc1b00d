/** Routing inside a pod that brings replies to spoofed connections back to ztunnel (facts ztunnel-wire 2.2). */
import type { IpFamily } from './in-pod-rules.ts';
import { RETURN_MARK } from './in-pod-rules.ts';

const TABLE = '100';
const PRIORITY = '32764';

function route(family: IpFamily): string[] {
  return ['local', family === 4 ? '0.0.0.0/0' : '::/0', 'dev', 'lo', 'table', TABLE];
}

const RULE = ['fwmark', RETURN_MARK, 'pref', PRIORITY, 'lookup', TABLE];

/** The arguments of `ip`, in order: the route first, so that the rule never points to an empty table. */
export function addRouteCommands(family: IpFamily): readonly (readonly string[])[] {
  return [
    [`-${family}`, 'route', 'replace', ...route(family)],
    [`-${family}`, 'rule', 'add', ...RULE],
  ];
}

/** The reverse of `addRouteCommands`. */
export function removeRouteCommands(family: IpFamily): readonly (readonly string[])[] {
  return [
    [`-${family}`, 'rule', 'del', ...RULE],
    [`-${family}`, 'route', 'del', ...route(family)],
  ];
}

/** Whether a failed command says that there was nothing to do. */
export function isAlreadyDone(stderr: string): boolean {
  return /File exists|No such|does not exist/i.test(stderr);
}
