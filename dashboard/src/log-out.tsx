/** Who looks, and the way out; nothing on one machine, where nobody logged in. */
export function LogOut({ viewer }: { readonly viewer: string | undefined }) {
  if (viewer === undefined) return null;
  return (
    <form class="log-out" method="post" action="/logout">
      <span title={viewer}>{viewer.replace(/^system:serviceaccount:/, '')}</span>
      <button type="submit">log out</button>
    </form>
  );
}
