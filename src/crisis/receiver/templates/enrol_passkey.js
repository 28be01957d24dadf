const bytes = text => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), sign => sign.charCodeAt(0));
const base64url = buffer => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const ids = list => (list || []).map(one => ({...one, id: bytes(one.id)}));
const whyNot = error => error.name === "NotAllowedError" ? "The device was not asked, or did not confirm it." :
  error.name === "InvalidStateError" ? "This device has a passkey for you already." :
  error.name === "SecurityError" ? "This address is not the one that passkeys belong to here." : "The device could not do it.";
