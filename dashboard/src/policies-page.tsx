/** Who may call whom, and who did; and the policies that say so. */
import { useAnswer } from './ask.ts';
import { markOf } from './config-page.tsx';
import { identity, perSecond } from './format.ts';
import { HitsText } from './hits-text.tsx';
import type { Permission, PolicyPage } from './mesh.ts';
import { pageOf, type Route } from './route.ts';
import { Badge, Waiting } from './states.tsx';

const PERIOD_MS = 5000;

export function PoliciesPage({ route }: { readonly route: Route }) {
  const namespace = route.parts[0] ?? '';
  const { value, failure } = useAnswer<PolicyPage>(
    `/api/policies?namespace=${encodeURIComponent(namespace)}`,
    PERIOD_MS,
  );
  if (value === undefined) return <Waiting failure={failure} />;
  return (
    <>
      <h1>Policies</h1>
      <label>
        namespace{' '}
        <select
          value={namespace}
          data-filter
          onChange={(event) => {
            location.hash = pageOf('policies', event.currentTarget.value);
          }}
        >
          <option value="">all</option>
          {value.namespaces.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
      <div class="cards">
        <Matrix page={value} />
        <Policies page={value} />
      </div>
    </>
  );
}

const SIGNS: Readonly<Record<Permission, { readonly sign: string; readonly text: string }>> = {
  all: { sign: '✓', text: 'may call' },
  some: { sign: '◐', text: 'may call, for some requests' },
  none: { sign: '✗', text: 'may not call' },
};

function Matrix({ page: { permissions, observed } }: { readonly page: PolicyPage }) {
  const { clients, destinations, leftOut } = permissions;
  const did = new Map(observed.map((call) => [`${call.client}|${call.destination}`, call]));
  return (
    <section class="panel wide" aria-label="who may call whom">
      <h2>Who may call whom, and who did</h2>
      <p class="hint">
        ✓ may · ◐ may, for some requests (method, path, token) · ✗ may not · a number: does so now · red: is refused
        now. Decided by the code of the proxies, over what they are given.
      </p>
      {leftOut > 0 && <p class="hint">{leftOut} services are left out: choose a namespace.</p>}
      <div class="scroll">
        <table class="matrix">
          <thead>
            <tr>
              <th>client ↓ service →</th>
              {destinations.map(({ id, port }) => (
                <th key={id}>
                  <a href={pageOf('service', id)}>{id}</a>:{port}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {clients.map((client) => (
              <tr key={client.id}>
                <th scope="row" title={client.identity}>
                  {client.id === 'outside' ? 'outside the mesh' : client.id}
                  {client.id !== 'outside' && (
                    <small> {client.identity === '' ? 'no identity' : identity(client.identity)}</small>
                  )}
                </th>
                {destinations.map(({ id, callers }) => (
                  <Cell key={id} permission={callers[client.id] ?? 'none'} call={did.get(`${client.id}|${id}`)} />
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Cell({
  permission,
  call,
}: {
  readonly permission: Permission;
  readonly call: PolicyPage['observed'][number] | undefined;
}) {
  const { sign, text } = SIGNS[permission];
  const refused = call !== undefined && call.refusedPerSec > 0;
  const seen =
    call === undefined
      ? ''
      : call.perSec + call.refusedPerSec > 0
        ? perSecond(Math.max(call.perSec, call.refusedPerSec))
        : '·';
  return (
    <td
      class={`may ${permission} ${call === undefined ? '' : 'did'} ${refused ? 'refused' : ''}`}
      title={`${text}${refused ? ', and is refused now' : call === undefined ? '' : ', and did in the last hour'}`}
    >
      {sign} {seen}
    </td>
  );
}

function Policies({ page: { policies, defaultDenials } }: { readonly page: PolicyPage }) {
  return (
    <section class="panel wide" aria-label="policies">
      <h2>
        Policies <small>{policies.length}</small>
      </h2>
      {policies.length === 0 ? (
        <p class="hint">None: whoever reaches a service may call it, also in plaintext.</p>
      ) : (
        <div class="scroll">
          <table>
            <thead>
              <tr>
                <th>policy</th>
                <th>kind</th>
                <th>action</th>
                <th>at proxies</th>
                <th>hits</th>
                <th>remarks</th>
              </tr>
            </thead>
            <tbody>
              {policies.map((policy) => (
                <tr
                  key={`${policy.kind} ${policy.namespace}/${policy.name}`}
                  data-policy={`${policy.namespace}/${policy.name}`}
                >
                  <td class="text">
                    <a
                      href={pageOf('config', '', {
                        open: `${policy.kind}/${policy.namespace}/${policy.name}`,
                        find: policy.name,
                      })}
                    >
                      {policy.namespace}/{policy.name}
                    </a>
                  </td>
                  <td>{policy.kind}</td>
                  <td>{actionOf(policy)}</td>
                  <td>{policy.atProxies ? 'yes' : 'no proxy has it'}</td>
                  <td data-hits>
                    <HitsText hits={policy.hits} />
                  </td>
                  <td class="text">
                    {policy.findings.map(({ level, message }) => (
                      <span key={message}>
                        <Badge tone={markOf(policy)}>{level}</Badge> {message}{' '}
                      </span>
                    ))}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {defaultDenials > 0 && (
        <p class="hint">
          {defaultDenials.toLocaleString('en')} more were refused in the mesh because there are ALLOW policies and none
          of them matched. All hits are since the proxies started.
        </p>
      )}
    </section>
  );
}

function actionOf({ kind, spec }: PolicyPage['policies'][number]): string {
  const { action, mtls, mode } = (spec ?? {}) as { action?: string; mtls?: { mode?: string }; mode?: string };
  if (kind === 'AuthorizationPolicy') return action ?? 'ALLOW';
  return kind === 'PeerAuthentication' ? (mtls?.mode ?? mode ?? '') : 'tokens';
}
