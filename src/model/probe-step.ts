/** What a proxy found when it tried the way to a destination (`/probe` of its admin endpoint). */

export interface ProbeStep {
  /** What was looked at. */
  readonly step: 'dns' | 'route' | 'certificate' | 'mtu' | 'connect' | 'handshake' | 'request';
  readonly level: 'ok' | 'warning' | 'error';
  /** For people. */
  readonly text: string;
  /** What to do; empty where all is well. */
  readonly hint: string;
}

export interface ProbeReport {
  readonly steps: readonly ProbeStep[];
  /** The proxy or program that the way leads to, `namespace/name`; empty where it leads to none of the mesh. */
  readonly next: string;
}

/** A step that went well. */
export function stepOk(step: ProbeStep['step'], text: string): ProbeStep {
  return { step, level: 'ok', text, hint: '' };
}

export function stepFailed(step: ProbeStep['step'], text: string, hint: string): ProbeStep {
  return { step, level: 'error', text, hint };
}

export function stepRemark(step: ProbeStep['step'], text: string, hint: string): ProbeStep {
  return { step, level: 'warning', text, hint };
}
