// The numbers of the dashboard, as its page in a browser gets them.

/** Opens the session that the address is for, once. @returns a reader of the graph */
export async function openDashboard(address) {
  const { origin } = new URL(address);
  const opened = await fetch(address, { redirect: 'manual' });
  const [cookie = ''] = (opened.headers.get('set-cookie') ?? '').split(';');
  if (opened.status !== 303 || cookie === '') throw new Error(`the dashboard answered with ${opened.status}`);
  return async () => {
    const answer = await fetch(`${origin}/api/mesh`, { headers: { cookie } });
    if (!answer.ok) throw new Error(`the dashboard answered with ${answer.status}`);
    return answer.json();
  };
}

/** Requests a second to each of the workloads, from everybody, as the graph shows them now. */
export function requestRates({ edges }, ...workloads) {
  return workloads.map((workload) =>
    edges.filter(({ to }) => to === workload).reduce((sum, { requestsPerSec }) => sum + requestsPerSec, 0),
  );
}
