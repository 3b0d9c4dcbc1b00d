// Builds the pages of the dashboard into dist/dashboard/pages.
import { defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  build: { outDir: '../dist/dashboard/pages', emptyOutDir: true, target: 'es2022', modulePreload: { polyfill: false } },
});
