// The page with a user's keys: the reader's own time, and a button that copies the new one.

import { localiseTimes } from "./page.js";

localiseTimes(document);
