/** The dashboard: its pages, and what is on all of them. */
import { render } from 'preact';
import { useEffect } from 'preact/hooks';
import './style.css';
import { useAnswer } from './ask.ts';
import { CanaryPage } from './canary-page.tsx';
import { ConfigPage } from './config-page.tsx';
import { GraphPage } from './graph-page.tsx';
import { LogOut } from './log-out.tsx';
import type { Mesh } from './mesh.ts';
import { PoliciesPage } from './policies-page.tsx';
import { pageOf, type Route, useRoute } from './route.ts';
import { ServicePage } from './service-page.tsx';
import { ServicesPage } from './services-page.tsx';
import { Waiting } from './states.tsx';
import { TapPage } from './tap-page.tsx';
import { ThemeButton } from './theme-button.tsx';
import { WorkloadPage } from './workload-page.tsx';

const PERIOD_MS = 2000;
const PAGES = [
  { page: 'graph', title: 'Graph' },
  { page: 'services', title: 'Services' },
  { page: 'policies', title: 'Policies' },
  { page: 'config', title: 'Configuration' },
  { page: 'tap', title: 'Tap' },
];
/** Under which entry a page is found. */
const PARENTS: Readonly<Record<string, string>> = { workload: 'services', service: 'services', canary: 'services' };

function Dashboard() {
  const route = useRoute();
  const { value: mesh, failure } = useAnswer<Mesh>('/api/mesh', PERIOD_MS);
  useKeys(route);
  const problems = [...(failure === '' ? [] : [failure]), ...(mesh?.missing ?? [])];
  return (
    <>
      <button type="button" class="skip" onClick={skip}>
        to the content
      </button>
      <header>
        <strong class="name">ambit</strong>
        <nav aria-label="pages">
          {PAGES.map(({ page, title }, index) => (
            <a
              key={page}
              href={pageOf(page)}
              aria-current={(PARENTS[route.page] ?? route.page) === page ? 'page' : undefined}
              title={`key ${index + 1}`}
            >
              {title}
            </a>
          ))}
        </nav>
        <span class="where">{mesh?.where}</span>
        <LogOut viewer={mesh?.viewer} />
        <ThemeButton />
      </header>
      {problems.map((problem) => (
        <p key={problem} class="problem" role="alert">
          {problem}
        </p>
      ))}
      <main id="content" tabindex={-1}>
        {mesh === undefined ? <Waiting failure={failure} /> : <Page route={route} mesh={mesh} />}
      </main>
    </>
  );
}

function Page({ route, mesh }: { readonly route: Route; readonly mesh: Mesh }) {
  const id = route.parts.join('/');
  switch (route.page) {
    case 'graph':
      return <GraphPage mesh={mesh} route={route} />;
    case 'services':
      return <ServicesPage route={route} />;
    case 'workload':
      return <WorkloadPage key={id} id={id} mesh={mesh} />;
    case 'service':
      return <ServicePage key={id} id={id} mesh={mesh} />;
    case 'canary':
      return <CanaryPage key={id} id={id} />;
    case 'policies':
      return <PoliciesPage route={route} />;
    case 'config':
      return <ConfigPage route={route} />;
    case 'tap':
      return <TapPage route={route} />;
    default:
      return <Waiting failure={`there is no page ${route.page}`} />;
  }
}

function skip(): void {
  document.getElementById('content')?.focus();
}

/** 1 to 5: pages; /: to the filter; Escape: what is chosen is let go. */
function useKeys(route: Route): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const isTyping = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
      if (event.ctrlKey || event.metaKey || event.altKey || (isTyping && event.key !== 'Escape')) return;
      const page = PAGES[Number(event.key) - 1];
      if (page !== undefined) location.hash = pageOf(page.page);
      if (event.key === '/') {
        event.preventDefault();
        document.querySelector<HTMLElement>('[data-filter]')?.focus();
      }
      if (event.key === 'Escape' && isTyping) (event.target as HTMLElement).blur();
      else if (event.key === 'Escape' && route.page === 'graph') location.hash = pageOf('graph');
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, [route.page]);
}

const app = document.getElementById('app');
if (app !== null) render(<Dashboard />, app);
