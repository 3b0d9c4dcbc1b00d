/** The admin endpoint on 15000 of ztunnel and waypoints (facts ztunnel-wire 11.4). */
import type { ProxyStatus } from '../model/proxy-status.ts';
import type { HttpAnswer, HttpRequest, HttpRoutes } from '../net/http-endpoint.ts';
import type { LogFilter } from './log-filter.ts';
import { type ProbeRoutesDeps, probeRoutes } from './probe-routes.ts';
import { type ProfileDeps, profileRoutes } from './profile-routes.ts';
import { type TapRoutesDeps, tapRoutes } from './tap-routes.ts';

export interface AdminDeps {
  /** What the page calls the program. */
  readonly title: string;
  readonly logFilter: LogFilter;
  readonly profiles: ProfileDeps;
  readonly tap: TapRoutesDeps;
  readonly probe: ProbeRoutesDeps;
  /** Passes a change of levels to other threads. */
  onLogFilter(directives: string): void;
  dump(): Promise<unknown>;
  /** The same in short. */
  status(): Promise<ProxyStatus>;
  shutdown(): void;
}

const LOGGING_HELP = `usage: POST /logging\t\t\t\t\t\t(To list current level)
usage: POST /logging?level=<level>\t\t\t\t(To change global levels)
usage: POST /logging?level={mod1=level1,mod2=level2}\t(To change specific mods' logging level)

hint: level is one of trace, debug, info, warn, error, off; mod is a log scope such as access, dns, xds
`;

/** The routes. The endpoint belongs on loopback: who can ask can also shut down. */
export function adminRoutes(deps: AdminDeps): HttpRoutes {
  return {
    'GET /': () => ({ status: 200, body: indexPage(deps.title), contentType: 'text/html; charset=utf-8' }),
    'GET /config_dump': async () => json(await deps.dump()),
    'GET /status': async () => json(await deps.status()),
    'POST /logging': (request) => changeLogging(deps, request),
    ...profileRoutes(deps.profiles),
    ...tapRoutes(deps.tap),
    ...probeRoutes(deps.probe),
    'POST /quitquitquit': () => {
      setImmediate(() => deps.shutdown());
      return { status: 200, body: 'shutdown now\n' };
    },
  };
}

function json(value: unknown): HttpAnswer {
  return { status: 200, body: `${JSON.stringify(value, null, 2)}\n`, contentType: 'application/json' };
}

function changeLogging({ logFilter, onLogFilter }: AdminDeps, { url }: HttpRequest): HttpAnswer {
  const reset = url.searchParams.has('reset');
  const level = url.searchParams.get('level');
  if (reset) logFilter.reset();
  if (level !== null && level !== '') {
    const refused = logFilter.update(level);
    if (refused !== undefined) return { status: 400, body: `invalid level: ${refused}\n${LOGGING_HELP}` };
  }
  if (reset || level !== null) onLogFilter(logFilter.toString());
  return { status: 200, body: `current log level is ${logFilter.toString()}\n` };
}

const indexPage = (title: string) => `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${title}</title></head>
<body>
<h1>${title}</h1>
<ul>
<li><a href="config_dump">config_dump</a>: state of this proxy</li>
<li><a href="status">status</a>: version, certificates, open connections</li>
<li><a href="debug/pprof/profile?seconds=5">debug/pprof/profile?seconds=5</a>: CPU profile of all threads</li>
<li><a href="debug/pprof/heap/profiling?activate=true">debug/pprof/heap/profiling?activate=true</a>: sample allocations,
then <a href="debug/pprof/heap">debug/pprof/heap</a></li>
<li><a href="tap?max-rps=10">tap?max-rps=10</a>: requests and connections as they end</li>
<li>probe?pod=NAMESPACE/NAME&amp;name=HOST&amp;ip=ADDRESS&amp;port=PORT: tries the way of a pod to a destination</li>
<li>POST logging: show or change log levels</li>
<li>POST quitquitquit: shut down gracefully</li>
</ul>
</body>
</html>
`;
