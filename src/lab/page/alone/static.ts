/** The page that `npm run build:pages` makes for a static host: engine and shipped model lie beside it. */
import './alone.css';
import { mountAlone } from './alone.tsx';

/** Set by the bundler: the names of the models that it put beside the page. */
declare const MODELS_BESIDE: readonly string[];

void mountAlone({ script: { url: 'engine.js' }, beside: MODELS_BESIDE, inside: null });
