// Brings a part of the page up to new HTML by changing only what differs: focus, hover and scroll stay where they are.

const ITS_OWN = new Set(["open", "aria-pressed"]); // what the reader has set

/** Make the children of `target` those of `html`. Elements with an id are recognised by it; those with data-keep
 * keep their children, because a script draws in them. */
export function morph(target, html) {
  const fresh = target.cloneNode(false);
  fresh.innerHTML = html;
  morphChildren(target, fresh);
}

function morphChildren(old, fresh) {
  const byId = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
  let at = old.firstChild;
  for (const node of [...fresh.childNodes]) {
    const match = findMatch(byId, at, node);
    if (match && match === at) at = at.nextSibling;
    else old.insertBefore(match ?? node, at);
    if (match) morphNode(match, node);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function findMatch(byId, at, node) {
  if (node.id) return byId.get(node.id);
  return at && !at.id && at.nodeName === node.nodeName ? at : undefined;
}

function morphNode(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  if (old.hasAttribute("data-keep") || old.isEqualNode(fresh)) return;
  morphAttributes(old, fresh);
  morphChildren(old, fresh);
}

function morphAttributes(old, fresh) {
  for (const { name, value } of fresh.attributes) {
    if (!ITS_OWN.has(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const name of old.getAttributeNames()) {
    if (!ITS_OWN.has(name) && !fresh.hasAttribute(name)) old.removeAttribute(name);
  }
}
