/** Which page is shown: the part of the address after `#`, so that pages can be linked, reloaded and gone back to. */
import { useEffect, useState } from 'preact/hooks';

export interface Route {
  /** `graph`, `service`, … */
  readonly page: string;
  /** What follows the page. */
  readonly parts: readonly string[];
  readonly query: URLSearchParams;
}

function parse(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?');
  const [page = '', ...parts] = path.split('/').map(decodeURIComponent);
  return { page: page || 'graph', parts, query: new URLSearchParams(query) };
}

export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const change = () => setHash(location.hash);
    addEventListener('hashchange', change);
    return () => removeEventListener('hashchange', change);
  }, []);
  return parse(hash);
}

/** The address of a page. @param id `namespace/name` */
export function pageOf(page: string, id = '', query: Readonly<Record<string, string>> = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== '');
  const text = given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
  const path = id === '' ? '' : `/${id.split('/').map(encodeURIComponent).join('/')}`;
  return `#/${page}${path}${text}`;
}

/** Changes a value of the query of this page, without a step in the history. */
export function setQuery(route: Route, name: string, value: string): void {
  const query = { ...Object.fromEntries(route.query), [name]: value };
  history.replaceState(null, '', pageOf(route.page, route.parts.join('/'), query));
  dispatchEvent(new HashChangeEvent('hashchange'));
}
