package supportbeetest

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// exactPaths lets other handle paths that an [http.ServeMux] would redirect, such as "//tickets". Like
// it, exactPaths looks at the escaped path: names of files and labels may have slashes and be dots.
func exactPaths(mux *http.ServeMux, other http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		escaped := r.URL.EscapedPath()
		if clean := path.Clean(escaped); clean != escaped && clean+"/" != escaped {
			other(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// allowedMethods returns the methods of a path that no operation matches with another method.
func allowedMethods(mux *http.ServeMux, r *http.Request) (allowed []string) {
	if escaped := r.URL.EscapedPath(); escaped != "/" && path.Clean(escaped) != escaped {
		return nil
	}
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete} {
		if _, pattern := mux.Handler(&http.Request{Method: method, URL: r.URL, Host: r.Host}); pattern != "/" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) > 0 {
		allowed = append(allowed, http.MethodOptions)
	}
	return allowed
}

// acceptsGzip reports whether the client takes gzip.
func acceptsGzip(header http.Header) bool {
	for _, list := range header.Values("Accept-Encoding") {
		for coding := range strings.SplitSeq(list, ",") {
			name, parameters, _ := strings.Cut(coding, ";")
			if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
				continue
			}
			weight, found := strings.CutPrefix(strings.ToLower(strings.TrimSpace(parameters)), "q=")
			q, err := strconv.ParseFloat(weight, 64)
			return !found || err == nil && q > 0
		}
	}
	return false
}

// sendPicture sends a picture of a person or a team: a square of a color of its own.
func sendPicture(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 63)
	name, isPNG := strings.CutSuffix(r.PathValue("file"), ".png")
	size, bad := strconv.Atoi(name)
	kind := r.PathValue("kind")
	if err != nil || bad != nil || !isPNG || size < 1 || size > 256 || kind != "users" && kind != "teams" {
		http.NotFound(w, r)
		return
	}
	shade := func(n uint64) uint8 { return uint8(64 + id*n%128) }
	picture := image.NewPaletted(image.Rect(0, 0, size, size), color.Palette{color.RGBA{shade(37), shade(59), shade(83), 255}})
	var body bytes.Buffer
	_ = png.Encode(&body, picture) // to memory, which cannot fail
	w.Header().Set("Content-Type", "image/png")
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	_, _ = w.Write(body.Bytes())
}
