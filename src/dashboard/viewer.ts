/** Who looks at the dashboard, and what of the mesh is for their eyes. */
import type { IncomingMessage } from 'node:http';
import type { MeshPrograms } from './mesh-programs.ts';

/** Of one request. */
export interface Viewer {
  /** Whether this viewer may see what is in a namespace. */
  mayRead(namespace: string): boolean;
  /** Who it is, for people; undefined where nobody logs in. */
  readonly name?: string | undefined;
  /** The programs of the mesh with this viewer's own rights; undefined: with those of the dashboard. */
  readonly programs?: MeshPrograms | undefined;
  /** Decides anew whether they are let in, and to what; undefined where that does not change. */
  readonly again?: (() => Promise<Viewer | Answer>) | undefined;
}

/** What somebody gets who is not let in, or not yet: a redirect, a refusal, a page to log in. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Lets viewers in, or answers in their place. */
export interface ViewerGate {
  /**
   * Asked before everything else, for every path and method: the body of the request is not read yet.
   * @param url of the request; its host is not to be trusted
   */
  admit(request: IncomingMessage, url: URL): Promise<Viewer | Answer>;
}

export function isAnswer(admitted: Viewer | Answer): admitted is Answer {
  return 'status' in admitted;
}
