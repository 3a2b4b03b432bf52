/* Thumbnails; a plain click stays in the page's session, a middle click opens the link. */
export default function ({ data, parentElement, setTriggerValue }) {
  const strip = parentElement.querySelector(".strip");
  strip.replaceChildren(
    ...data.photos.map(({ id, left, right, interval }) => {
      const link = document.createElement("a");
      link.href = `/photo?photo=${id}`;
      link.onclick = (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        setTriggerValue("opened", id);
      };
      const image = document.createElement("img");
      Object.assign(image, { src: `/api/photos/${id}/thumbnail`, loading: "lazy", alt: `Photo at ${left}` });
      const line = document.createElement("p");
      for (const text of [left, right]) {
        const part = document.createElement("span");
        part.textContent = text;
        line.appendChild(part);
      }
      const doubt = document.createElement("p");
      doubt.className = "interval";
      doubt.textContent = interval;
      link.append(image, line, doubt);
      return link;
    }),
  );
}
