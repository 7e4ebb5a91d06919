"""The addresses of the pages."""

from django.urls import path

from logviewer.pages.account import account, new_password, sign_out
from logviewer.pages.badge import badge
from logviewer.pages.build import build
from logviewer.pages.builder import builder
from logviewer.pages.favicon import favicon
from logviewer.pages.feed import feed
from logviewer.pages.index import index
from logviewer.pages.log import log
from logviewer.pages.project import project
from logviewer.pages.sign_in import sign_in

app_name = "logviewer"

urlpatterns = [
    path("", index, name="index"),
    path("favicon.ico", favicon, name="favicon"),
    path("login/", sign_in, name="login"),
    path("logout/", sign_out, name="logout"),
    path("account/", account, name="account"),
    path("account/password/", new_password, name="password"),
    path("p/<str:project>/", project, name="project"),
    path("p/<str:project>/<str:builder>/", builder, name="builder"),
    path("p/<str:project>/<str:builder>/feed.atom", feed, name="feed"),
    path("p/<str:project>/<str:builder>/badge.svg", badge, name="badge"),
    path("p/<str:project>/<str:builder>/<int:number>/", build, name="build"),
    path("p/<str:project>/<str:builder>/<int:number>/<str:step>/<str:log>/", log, name="log"),
]
