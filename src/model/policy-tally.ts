/** How often policies decided: plain integers at the policies themselves, read when somebody asks. */

/** Of one policy where it is in force. */
export interface PolicyTally {
  /** Connections or requests that the policy decided over, or in dry run would have. */
  hits: number;
  /** Of them those that the provider of a CUSTOM policy refused. */
  refusals: number;
}

/** Denials because there are ALLOW policies and none matched: no policy has them. */
export interface DefaultDenials {
  enforced: number;
  /** What the ALLOW policies in dry run would have denied. */
  dryRun: number;
}

export function createPolicyTally(): PolicyTally {
  return { hits: 0, refusals: 0 };
}

export function createDefaultDenials(): DefaultDenials {
  return { enforced: 0, dryRun: 0 };
}
