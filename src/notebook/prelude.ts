/** What every cell sees without an import: the public API, llama.cpp and the display. */
export * from '../node/index.ts';
export { llamaCpp } from '../oracle/index.ts';
