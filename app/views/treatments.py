"""Treatments."""

import streamlit as st

st.title("Treatments")
