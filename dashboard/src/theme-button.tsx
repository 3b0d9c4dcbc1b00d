/** Light or dark: as the system has it, unless somebody says otherwise on this machine. */
import { useState } from 'preact/hooks';

const KEY = 'ambit-theme';
const THEMES: readonly string[] = ['light dark', 'light', 'dark'];
const SIGNS: Readonly<Record<string, string>> = { 'light dark': '◐', light: '☀', dark: '☾' };
const NAMES: Readonly<Record<string, string>> = { 'light dark': 'as the system', light: 'light', dark: 'dark' };

export function ThemeButton() {
  const [theme, setTheme] = useState<string>(() => apply(localStorage.getItem(KEY) ?? 'light dark'));
  const next = () => {
    const index = THEMES.indexOf(theme);
    setTheme(apply(THEMES[(index + 1) % THEMES.length] ?? 'light dark'));
  };
  return (
    <button
      type="button"
      class="theme"
      onClick={next}
      aria-label={`colours: ${NAMES[theme] ?? ''}`}
      title={`colours: ${NAMES[theme] ?? ''}`}
    >
      {SIGNS[theme] ?? SIGNS['light dark']}
    </button>
  );
}

function apply(theme: string): string {
  localStorage.setItem(KEY, theme);
  document.documentElement.style.colorScheme = theme;
  return theme;
}
