/** The path MTU as a step of a probe. */

import type { Clock } from '../base/clock.ts';
import { AmbitError, errorText } from '../base/errors.ts';
import { type ProbeStep, stepFailed, stepOk, stepRemark } from '../model/probe-step.ts';
import type { IcmpSocketOptions } from '../native/addon.ts';
import { IcmpEcho } from '../native/icmp-echo.ts';
import { findPathMtu } from './path-mtu.ts';

export interface MtuProbeDeps {
  readonly clock: Clock;
  readonly random: () => number;
}

/** Sends ICMP echo from where the options say. Never rejects. */
export async function probeMtu(options: IcmpSocketOptions, { clock, random }: MtuProbeDeps): Promise<ProbeStep> {
  const { destination } = options;
  let echo: IcmpEcho;
  try {
    echo = new IcmpEcho(options, Math.floor(random() * 0x10000), clock);
  } catch (error) {
    const needsRight = error instanceof AmbitError && error.code === 'NATIVE_PERMISSION';
    const hint = needsRight ? 'the proxy has no CAP_NET_RAW; ztunnel has it' : 'is there a route to it?';
    return stepRemark('mtu', `the MTU of the way to ${destination} is not known: ${errorText(error)}`, hint);
  }
  try {
    return await stepOf(echo, destination);
  } finally {
    echo.close();
  }
}

async function stepOf(echo: IcmpEcho, destination: string): Promise<ProbeStep> {
  const found = await findPathMtu(echo);
  switch (found.kind) {
    case 'whole':
      return stepOk('mtu', `packets of ${found.bytes} bytes reach ${destination}, as long as the link takes`);
    case 'told': {
      const text = `packets of ${found.bytes} bytes reach ${destination}, the link takes ${found.linkBytes}`;
      return stepRemark('mtu', `${text}; the path says so, TCP adapts`, 'give pods the smallest MTU on the way');
    }
    case 'lost': {
      const text = `packets of more than ${found.bytes} bytes vanish on the way to ${destination}; the link takes ${found.linkBytes}`;
      const hint = `give pods an MTU of ${found.bytes}, or let ICMP "fragmentation needed" pass: long answers hang meanwhile`;
      return stepFailed('mtu', text, hint);
    }
    case 'silent': {
      const hint = 'ICMP may be filtered, then this says nothing; else the address is not reachable';
      return stepRemark('mtu', `no ICMP echo comes back from ${destination}`, hint);
    }
  }
}
