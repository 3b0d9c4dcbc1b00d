/** `ambit check path`: the way between two ends, tried. */
import { commandClock } from '../command-clock.ts';
import { controlResources } from '../explain/feed-resources.ts';
import { meshModel } from '../explain/mesh-model.ts';
import { findMesh, type MeshFlags } from '../mesh/find-mesh.ts';
import { checkPath } from '../path/check-path.ts';
import { printFindings } from './check.ts';

export interface CheckPathFlags extends MeshFlags {
  readonly namespace?: string;
  readonly port?: number;
  readonly method: string;
  readonly path: string;
  readonly output?: string;
}

/** Sets the exit status to 1 when a step fails. @throws AmbitError */
export async function runCheckPath(
  from: string,
  to: string,
  flags: CheckPathFlags,
  environment: NodeJS.ProcessEnv,
): Promise<void> {
  const access = await findMesh(flags, environment);
  try {
    const model = meshModel(await controlResources(access), commandClock, Math.random);
    const { namespace, port, method, path } = flags;
    printFindings(
      await checkPath(access, model, { from, to, namespace, port, method, path }),
      flags.output,
      environment,
    );
  } finally {
    access.close();
  }
}
